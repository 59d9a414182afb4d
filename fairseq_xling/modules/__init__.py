"""Small neural building blocks shared by the objectives."""
