"""Chapter 1: what the data hold before anything is learned."""

VERSION = 1
