// Package churn says how likely customers are to go, and why.
package churn
