"""The tools: one file each, registered by name. No widgets here."""
