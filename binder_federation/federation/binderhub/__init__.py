"""Members that run an unmodified BinderHub: what they say, in our words."""
