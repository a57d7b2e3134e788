"""How an agent runs: events, run (fold), loop, ledger, journal, context."""
