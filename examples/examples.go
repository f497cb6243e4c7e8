// Package examples embeds the examples that the demo plays. The files are documentation
// first: the tests run them as they are.
package examples

import "embed"

// Express is the guide's set-up for one application, with a seed for the simulator.
//
//go:embed express
var Express embed.FS

// Onboarding is a customer of that application, with a seed that has its people.
//
//go:embed onboarding
var Onboarding embed.FS
