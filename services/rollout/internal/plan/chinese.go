package plan

// In gives the template in a language, "en" or "zh": what it says of itself, and the words of the plans that it makes. Codes are the same
// in every language, so that a plan can be told apart by them.
func (t Template) In(language string) Template {
	if language != "zh" || t.chinese == nil {
		return t
	}
	words, of := t.chinese(), t.plan
	t.Doc = words["doc"]
	t.plan = func(f Filling) Plan { return of(f).in(words) }
	return t
}

// in is the plan of a template with other words, by where they stand: a phase's name by its code, a task's title by phase/task, a goal's
// name by goal/code, a risk's name and mitigation by risk/code and risk/code/mitigation. What the filling brought keeps its own.
func (p Plan) in(words map[string]string) Plan {
	say := func(into *string, at string) {
		if word := words[at]; word != "" {
			*into = word
		}
	}
	for i := range p.Goals {
		say(&p.Goals[i].Name, "goal/"+p.Goals[i].Code)
	}
	for i := range p.Phases {
		one := &p.Phases[i]
		say(&one.Name, one.Code)
		for j := range one.Tasks {
			say(&one.Tasks[j].Title, one.Code+"/"+one.Tasks[j].Code)
		}
	}
	for i := range p.Risks {
		say(&p.Risks[i].Name, "risk/"+p.Risks[i].Code)
		say(&p.Risks[i].Mitigation, "risk/"+p.Risks[i].Code+"/mitigation")
	}
	return p
}

// textbookChinese are the words of the textbooks' template in Chinese.
func textbookChinese() map[string]string {
	words := textbookRisksChinese()
	for at, word := range map[string]string{
		"doc": "教科书的九个步骤：目标与战略、团队与高层支持、流程分析与再造、系统配置、数据准备与系统对接、试点及其经验、培训、按部门逐步上线、评估与改进；并附有 CRM 项目已知的失败风险。",

		"goal/in-daily-use": "应当使用的人每周都在使用",

		"strategy":                  "目标与战略",
		"strategy/customers-served": "明确要赢得、保留和发展哪些客户，以及如何区分他们",
		"strategy/goals":            "明确以后要改善什么：以数字表示，写明现值与目标值",
		"strategy/business-case":    "核算投入与收益",

		"team":           "团队与高层支持",
		"team/means":     "批准人员、时间和资金，并告知每个部门",
		"team/key-users": "在每个部门找到能代表本部门工作的关键用户",
		"team/story":     "向所有人说明为什么要做，以及他们的工作会有什么变化",

		"processes":               "流程分析与再造",
		"processes/as-is":         "记录服务、销售和市场部门目前如何与客户打交道",
		"processes/to-be":         "从客户的角度、跨部门商定今后的做法",
		"processes/who-does-what": "明确每一步由谁负责、何时完成",

		"configuration":         "系统配置",
		"configuration/set-up":  "按商定内容设置阶段、类别、服务等级、忠诚度计划和角色；其余保持默认",
		"configuration/try-out": "用真实案例走一遍每个商定的流程",

		"data":          "数据准备、迁移与系统对接",
		"data/clean":    "汇集客户、线索和订单，更正错误与重复的数据",
		"data/import":   "导入数据，更正被拒绝的行后重新导入",
		"data/connect":  "对接后台系统：ERP、经销商、商城",
		"data/consents": "导入客户的授权同意及其凭证",

		"pilot":                 "试点",
		"pilot/pilot-trained":   "培训试点单位的人员",
		"pilot-review":          "试点的经验",
		"pilot-review/lessons":  "说明在其他单位跟进之前哪些必须改变",
		"pilot-review/mended":   "完成更改",
		"training":              "培训",
		"training/material":     "用试点的真实案例编写教材",
		"training/trained":      "按各自的工作培训所有人员",
		"training/help":         "在每个单位指定可以求助的人",
		"evaluation":            "评估与改进",
		"evaluation/measured":   "将每个目标与实测结果对照",
		"evaluation/improve":    "商定下一步改进什么、由谁负责",
		"go-live-service":       "服务部门上线",
		"go-live-sales":         "销售部门上线",
		"go-live-marketing":     "市场部门上线",
		"go-live-service/ready": readyChinese, "go-live-service/old-way": oldWayChinese,
		"go-live-sales/ready": readyChinese, "go-live-sales/old-way": oldWayChinese,
		"go-live-marketing/ready": readyChinese, "go-live-marketing/old-way": oldWayChinese,
	} {
		words[at] = word
	}
	return words
}

// What every department does before it goes live.
const (
	readyChinese  = "确认每个单位的用户、角色和未结事项都已就位"
	oldWayChinese = "确定从哪一天起不再使用旧的表格和工具"
)

func textbookRisksChinese() map[string]string {
	return map[string]string{
		"risk/no-sponsor":                   "高层不支持",
		"risk/no-sponsor/mitigation":        "由一位高层发起人在每个关口作决定，并向各部门说明为什么要做。",
		"risk/no-strategy":                  "引入的是工具，而不是战略",
		"risk/no-strategy/mitigation":       "在目标以数字商定、流程再造完成之前，不进行任何配置。",
		"risk/not-used":                     "人们不使用系统",
		"risk/not-used/mitigation":          "每个部门有关键用户，倾听试点的意见，每个单位有人帮助；使用系统的人员比例是试点的一个关口。",
		"risk/poor-data":                    "数据质量太差，不可信",
		"risk/poor-data/mitigation":         "导入之前合并重复数据、更正文件；被接受的行的比例是一个关口。",
		"risk/not-connected":                "后台系统没有对接，或数据滞后",
		"risk/not-connected/mitigation":     "试点之前对接 ERP、经销商和商城，此后持续监测。",
		"risk/silos":                        "各部门继续各自为政",
		"risk/silos/mitigation":             "从客户的角度跨部门商定流程，每一步都有人负责。",
		"risk/overloaded":                   "一次做得太多，定制过多",
		"risk/overloaded/mitigation":        "逐个部门推进；先用平台自带的功能，再考虑开发。",
		"risk/untrained":                    "人员没有及时得到培训",
		"risk/untrained/mitigation":         "培训是单独的阶段，采用试点的真实案例，在任何部门上线之前完成。",
		"risk/service-suffers":              "在此期间客户得到的服务变差",
		"risk/service-suffers/mitigation":   "监测服务等级的达成率；一旦下降，上线暂停，必要时可以回退某个阶段。",
		"risk/customers-annoyed":            "客户不喜欢他们感受到的变化",
		"risk/customers-annoyed/mitigation": "从试点开始进行调查，每周查看相关投诉。",
		"risk/unstable":                     "系统出错",
		"risk/unstable/mitigation":          "监测错误率；一旦上升，上线暂停。",
		"risk/privacy":                      "个人数据的使用超出客户的授权",
		"risk/privacy/mitigation":           "连同凭证导入授权同意，各角色只看到所需的内容，查看敏感数据会被记录。",
		"risk/over-budget":                  "时间或资金耗尽",
		"risk/over-budget/mitigation":       "按阶段批准资源，以前一阶段的成果为依据。",
	}
}
