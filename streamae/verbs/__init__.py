"""What the command line can do, one file per verb.

A verb's module adds its parser by `add` and imports what it needs when it runs, so that `lint`,
`config` and `version` answer at once. A verb returns the exit code or raises a `StreamaeError`.
"""
