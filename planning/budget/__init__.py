"""What a plan costs a month and which quota it takes."""
