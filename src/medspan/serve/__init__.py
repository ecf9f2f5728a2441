"""The service: documents over HTTP, and the page."""
