"""Dialogs: questions to the person; what follows from the answers is done elsewhere."""
