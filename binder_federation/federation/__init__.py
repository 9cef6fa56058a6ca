"""The redirector: from a launch link to the member where it is served best."""
