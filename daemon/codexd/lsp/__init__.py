"""The editor's door: a language server a client, all over one orchestrator."""
