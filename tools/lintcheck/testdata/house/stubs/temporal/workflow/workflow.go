package workflow

type Context struct{}
