"""mdm capture --print, as a person runs it."""
