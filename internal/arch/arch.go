// Package arch holds no code of the program: its test is the plan of the house. It compares what every package imports
// with a table, and keeps files and functions of a size that can be read.
package arch
