"""One module a task: a function from documents to documents."""
