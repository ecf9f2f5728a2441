"""Which corpora belong together: how their annotations differ, and what each gains from the others."""
