"""The doctor: what is right and wrong at a site, each with what, where and the mend; and a diagnosis in one file."""
