"""Images: which files make one, its content digest and tag, building, pushing, and what has changed."""
