"""Services and logs that break one promise each: what an invariant must catch."""
