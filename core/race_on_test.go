//go:build race

package core

// raceDetector makes everything many times slower; tests that only count on numbers run smaller with it.
const raceDetector = true
