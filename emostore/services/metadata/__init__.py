"""What is known of a recording besides its sound: from forms, lists and file names."""
