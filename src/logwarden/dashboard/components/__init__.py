"""Parts of pages that are drawn by a script in the browser: lists that update without losing a selection."""
