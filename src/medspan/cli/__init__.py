"""The command line: one thin file a verb, imported when its verb is called."""
