"""Where log lines come from: files, standard input, syslog and HTTP listeners, the spool on disk.

Everything here ends in :class:`logwarden.events.Batch`; see :mod:`logwarden.sources.base` for the protocol.
"""
