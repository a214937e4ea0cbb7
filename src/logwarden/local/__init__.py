"""One pipeline on this machine: listeners, spool, detector loop, store and dashboard. See docs/up.md."""
