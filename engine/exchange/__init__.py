"""Label files into a project and out of it: what is common to all formats."""
