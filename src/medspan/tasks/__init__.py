"""One task each: functions from documents to documents."""
