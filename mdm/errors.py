"""The one error base of the hub: its message says what happened and what to do next."""


class MdmError(Exception):
    """Something outside failed, or a promise was broken; the message is fit to show to a person.

    A message never carries a password or a record's values.
    """

    exit_code = 1
