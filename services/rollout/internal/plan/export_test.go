package plan

// ChineseWords gives a template's words in Chinese.
func ChineseWords(t Template) map[string]string { return t.chinese() }
