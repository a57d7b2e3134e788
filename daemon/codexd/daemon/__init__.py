"""The process that stays: one a workspace, and how clients find it."""
