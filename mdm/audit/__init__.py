"""The batch audit: the rules put to all that is stored, beside what the inline checks found of it."""
