"""Decides what to do about an alert, checks that it helped, undoes what did not."""
