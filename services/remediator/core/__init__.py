"""Pure decisions: alerts and measurements in, orders and ledger entries out. No I/O, no clock."""
