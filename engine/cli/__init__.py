"""The command line: one file a command, each importing only click and the standard library at first.

`main.py` imports a command when it is run or listed. A command raises MaskwrightError, calls
`ctx.exit(code)` or returns; it never prints a traceback.
"""
