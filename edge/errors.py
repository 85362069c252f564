"""Errors a user can mend. Each message is one line: what, where, and the mend; the command line prints it as it is."""


class DigitdError(Exception):
    """The base of all; `exit_code` is what `digitd` ends with when nothing else can be done."""

    exit_code = 1


class PictureError(DigitdError):
    """One input cannot be read; the others still are."""


class UsageError(DigitdError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class ConfigError(DigitdError):
    """A model file, provider or setting that a restart will not mend (systemd's convention: 78, EX_CONFIG)."""

    exit_code = 78


class ModelError(ConfigError):
    """A model file is missing, broken or made for another version of digitd."""


class ProviderError(ConfigError):
    """The ONNX Runtime provider asked for cannot be had."""
