"""Panels: views of the project and the editor that change no document themselves."""
