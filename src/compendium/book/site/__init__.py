"""Building the site."""
