"""The errors that reach a person.

Every message is one sentence that says what is wrong, where, and what to do about it. Code
raises these with ``from e`` where it learns of the fault; the command line and the job boundary
print ``str(error)`` and nothing else.
"""


class MaskwrightError(Exception):
    """A failure told in one sentence that a person can act on."""


class MediaError(MaskwrightError):
    """A picture or video that cannot be read."""


class ProjectError(MaskwrightError):
    """A project that cannot be opened, locked, migrated or written."""


class DataError(MaskwrightError):
    """A label file or data set that is wrong, with the place in it."""


class ModelError(MaskwrightError):
    """A model or weights file that is missing, damaged, unsafe or of another kind."""


class TrainingError(MaskwrightError):
    """Training that cannot start or go on."""


class DeviceError(MaskwrightError):
    """A device that was asked for and cannot be used."""
