"""Reading aloud: sentences that were made into sound beforehand, put together to what a page says.

A page is cut into its sentences (``sentences``); each that has a sound is read, in the order of the page. What has
none, such as what a person wrote, is left out, and at the end it is said that there is more to read.
"""
