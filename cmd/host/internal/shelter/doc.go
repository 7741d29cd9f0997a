// Package shelter has the places of sockets whose path would be too long in the data folder: a folder among the temporary files for each
// data folder.
//
// Anybody may make folders there, and their names can be guessed. So whoever listens makes or takes a folder that is its own, and
// whoever connects trusts only one of somebody who could deceive it anyway.
//
// # Errors
//
// Errors say what is wrong with a folder. What to do about it depends on who wanted it there, and is for the caller to say.
//
// # Limits
//
// Both sides find the same folder as long as they have the same folder for temporary files. Where files have no owners and modes, as on
// Windows, temporary files are each user's own, and only the kind of the file is checked.
package shelter
