"""The two ways in which a run ends early without being a defect."""


class InputError(ValueError):
    """Input or configuration that the user can mend; the message names the value and the remedy.

    The command line prints it as one sentence and exits with 2; the node reports it and lives on.
    """


class Cancelled(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a progress callback to stop a run between two steps; nothing half-made is left behind."""
