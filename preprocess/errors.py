"""The one exception for input that the user can correct."""


class UserError(ValueError):
    """The user's input is wrong: the message names the file, line or flag, the value and the remedy.

    ``xling`` prints it as one line on stderr and exits with code 2.
    """
