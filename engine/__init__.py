"""The engine: documents, projects, models, inference and training. Knows nothing of Qt."""

__version__ = "0.1.0"
