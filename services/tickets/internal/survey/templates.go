package survey

// Templates are the ready surveys, by code. They are copied when a survey is made from one, which can then be changed.
func Templates() map[string]Survey {
	agree := func(code, dimension, en, zh, de string) Question {
		return Question{Code: code, Kind: Scale, Min: 1, Max: 7, Required: true, Dimension: dimension, Text: three(en, zh, de)}
	}
	why := Question{Code: "why", Kind: Text, Text: three("What is the main reason?", "主要原因是什么？", "Was ist der wichtigste Grund?")}
	score := func(en, zh, de string) Question {
		return Question{Code: ScoreCode, Kind: Score, Text: three(en, zh, de)}
	}
	ideal := func(code, en, zh, de string, weight float64) Question {
		return Question{Code: code, Kind: Ideal, Min: 1, Max: 7, Required: true, Weight: weight, Text: three(en, zh, de)}
	}
	item := func(code, role, en, zh, de string) Question {
		return Question{Code: code, Kind: ACSI, Role: role, Weight: 1, Required: true, Text: three(en, zh, de)}
	}
	return map[string]Survey{
		"csat": ready(CSAT, three("Your satisfaction", "您的满意度", "Ihre Zufriedenheit"),
			score("How satisfied are you? (1 not at all, 5 very)", "您满意吗？（1 很不满意，5 非常满意）", "Wie zufrieden sind Sie? (1 gar nicht, 5 sehr)"), why),
		"nps": ready(NPS, three("Would you recommend us?", "您会推荐我们吗？", "Würden Sie uns empfehlen?"),
			score("How likely are you to recommend us? (0 not at all, 10 certainly)", "您有多大可能推荐我们？（0 完全不会，10 一定会）",
				"Wie wahrscheinlich ist es, dass Sie uns empfehlen? (0 gar nicht, 10 sicher)"), why),
		"ces": ready(CES, three("Your effort", "您花费的力气", "Ihr Aufwand"),
			score("They made it easy for me to solve my problem. (1 not at all, 7 fully)", "他们让我轻松解决了问题。（1 完全不同意，7 完全同意）",
				"Mein Problem zu lösen wurde mir leicht gemacht. (1 gar nicht, 7 voll und ganz)"), why),
		Verification: ready(CSAT, three("Your complaint", "您的投诉", "Ihre Beschwerde"),
			score("How satisfied are you with what we did about your complaint? (1 not at all, 5 very)", "您对投诉的处理结果满意吗？（1 很不满意，5 非常满意）",
				"Wie zufrieden sind Sie damit, was wir auf Ihre Beschwerde getan haben? (1 gar nicht, 5 sehr)"), why),
		// After R. C. Mayer, J. H. Davis and F. D. Schoorman, An integrative model of organizational trust, AMR 20 (1995).
		"trust": ready(Questionnaire, three("Your trust in us", "您对我们的信任", "Ihr Vertrauen in uns"),
			agree("can_do", "ability", "They know their business.", "他们精通业务。", "Sie verstehen ihr Geschäft."),
			agree("solves", "ability", "They can solve my problems.", "他们能解决我的问题。", "Sie können meine Probleme lösen."),
			agree("keeps_word", "integrity", "They keep what they promise.", "他们信守承诺。", "Sie halten, was sie versprechen."),
			agree("honest", "integrity", "They are honest with me.", "他们对我诚实。", "Sie sind ehrlich zu mir."),
			agree("cares", "benevolence", "My interest matters to them.", "他们在乎我的利益。", "Mein Interesse ist ihnen wichtig."),
			agree("goes_out", "benevolence", "They would go out of their way to help me.", "他们会尽力帮助我。", "Sie würden sich für mich ins Zeug legen.")),
		"online_service": ready(Questionnaire, three("Our service online", "我们的在线服务", "Unser Dienst im Netz"),
			agree("works", "system", "The site works whenever I need it.", "网站随时可用。", "Die Seite läuft, wann immer ich sie brauche."),
			agree("easy", "system", "The site is easy to use.", "网站易于使用。", "Die Seite ist leicht zu bedienen."),
			agree("complete", "information", "I find the information that I need.", "我能找到需要的信息。", "Ich finde die Auskunft, die ich brauche."),
			agree("correct", "information", "The information is right and up to date.", "信息准确且及时。", "Die Auskunft stimmt und ist aktuell."),
			agree("as_promised", "reliability", "I get what I ordered, when it was promised.", "我按时收到所订购的商品。", "Ich bekomme, was ich bestellt habe, und zur Zeit."),
			agree("safe", "reliability", "My data and my money are safe.", "我的数据和资金是安全的。", "Meine Daten und mein Geld sind sicher."),
			agree("person", "humanity", "I reach a person when I need one.", "需要时我能联系到真人。", "Ich erreiche einen Menschen, wenn ich einen brauche."),
			agree("friendly", "humanity", "I am treated as a person.", "我受到人性化的对待。", "Ich werde als Mensch behandelt.")),
		"ideal_product": ready(Questionnaire, three("Our product and your ideal", "我们的产品与您的理想", "Unser Produkt und Ihr Ideal"),
			ideal("quality", "Quality", "质量", "Qualität", 5), ideal("price", "Price (1 low, 7 high)", "价格（1 低，7 高）", "Preis (1 niedrig, 7 hoch)", 4),
			ideal("choice", "Choice", "选择范围", "Auswahl", 3), ideal("speed", "Speed", "速度", "Schnelligkeit", 3)),
		"satisfaction_index": ready(Questionnaire, three("Your satisfaction over all", "您的总体满意度", "Ihre Zufriedenheit insgesamt"),
			item("overall", RoleSatisfaction, "How satisfied are you over all? (1 very dissatisfied, 10 very satisfied)", "您总体上满意吗？（1 很不满意，10 非常满意）",
				"Wie zufrieden sind Sie insgesamt? (1 sehr unzufrieden, 10 sehr zufrieden)"),
			item("expected", RoleExpectancy, "Did we meet your expectations? (1 fell short, 10 exceeded)", "我们达到您的期望了吗？（1 远低于，10 超出）",
				"Haben wir Ihre Erwartungen erfüllt? (1 weit verfehlt, 10 übertroffen)"),
			item("ideal", RoleIdeal, "How close are we to the ideal? (1 not at all, 10 very)", "我们离理想有多近？（1 很远，10 很近）",
				"Wie nahe sind wir am Ideal? (1 gar nicht, 10 sehr)")),
	}
}

func three(en, zh, de string) Words { return Words{"en": en, "zh": zh, "de": de} }

func ready(k Kind, title Words, questions ...Question) Survey {
	return Survey{Kind: k, Content: Content{Title: title, Language: "en", Questions: questions}}.Settled()
}
