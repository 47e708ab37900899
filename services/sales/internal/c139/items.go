package c139

import (
	"slices"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Kind says what an item of a card is.
type Kind string

// The kinds.
const (
	Thing    Kind = "thing"    // to have clear: C
	Leading  Kind = "leading"  // a sign of being in front: F
	Deciding Kind = "deciding" // the sign that decides: W
)

// Text is a text in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Item is a thing or a sign of the card.
type Item struct {
	Code     string
	Kind     Kind
	Name     Text
	Question Text               // to ask where it is not clear
	Ask      []opportunity.Role // roles of contacts who may know, the best first; team: one's own people
	Weight   int                // 1 to 5, how much hangs on it
	Due      int                // by which part of the pipeline it is needed, in percent: that is what a stage asks for
}

// Codes of the signs, which are computed.
const (
	FitHighest    = "fit_highest"
	KeyPeopleHelp = "key_people_help"
	MajorityChose = "majority_chose"
	TopDecides    = "top_decides"
)

// ownTeam stands among the roles of contacts for one's own people.
const ownTeam opportunity.Role = "team"

var items = []Item{
	{
		"our_plan", Thing, Text{"Our steps and milestones", "我方的步骤与里程碑"},
		Text{"What do we do next, by when, and who does it?", "我们下一步做什么、何时完成、由谁负责？"}, []opportunity.Role{ownTeam}, 2, 25,
	},
	{
		"buying_process", Thing, Text{"Their buying process and its milestones", "客户的采购流程与里程碑"},
		Text{"Which steps remain until the order is signed, on which days, and who signs what?", "到签约还有哪些步骤、各在哪天、分别由谁签字？"}, []opportunity.Role{opportunity.Buyer, opportunity.Coach, opportunity.User}, 4, 50,
	},
	{
		"organisation", Thing, Text{"Their organisation and what moves each member", "客户的组织架构与每位成员的动力"},
		Text{"Who reports to whom, and what does each of them want to achieve personally?", "谁向谁汇报，每个人各自想达到什么？"}, []opportunity.Role{opportunity.Coach, opportunity.User}, 3, 25,
	},
	{
		"decision_structure", Thing, Text{"The decision structure, with each one's influence and leaning", "决策结构：每个人的影响力与倾向"},
		Text{"Who takes part in the decision, how much does each one's word weigh, and whom does each prefer?", "谁参与决策，各自的话有多大分量，各自倾向于谁？"}, []opportunity.Role{opportunity.Coach, opportunity.Influencer}, 5, 50,
	},
	{
		"decision_points", Thing, Text{"Why the project exists, and each one's decision points", "立项原因与每个人的决策要点"},
		Text{"Why is this done now, and by what will each of them judge the offers?", "为什么现在要做，每个人会依据什么来评判方案？"}, []opportunity.Role{opportunity.DecisionMaker, opportunity.Coach}, 4, 25,
	},
	{
		"payment", Thing, Text{"Their credit, payment habits and source of funds", "付款信用、付款习惯与资金来源"},
		Text{"From which budget is it paid, is it approved, and how do they usually pay?", "由哪笔预算支付、是否已批准、平时如何付款？"}, []opportunity.Role{opportunity.Buyer, opportunity.Coach}, 3, 75,
	},
	{
		"resources", Thing, Text{"What resources each party can bring", "各方能够投入的资源"},
		Text{"Whom and what can they, we and partners put in to make it succeed?", "客户、我方与伙伴各能投入哪些人和资源来促成？"}, []opportunity.Role{opportunity.DecisionMaker, opportunity.Coach}, 2, 75,
	},
	{
		"competitors", Thing, Text{"Each competitor's moves and SWOT as the customer sees it", "每个竞争对手的动作与客户眼中的SWOT"},
		Text{"Who else is in it, what have they done lately, and what do you like and dislike about each?", "还有谁参与、最近做了什么、您觉得各家好在哪里差在哪里？"}, []opportunity.Role{opportunity.Coach, opportunity.User}, 4, 50,
	},
	{
		"critical_success", Thing, Text{"The critical success factors, with the top three", "关键成功因素及其前三项"},
		Text{"Which three things decide who wins, in their order?", "决定谁能中标的三件事依次是什么？"}, []opportunity.Role{opportunity.DecisionMaker, opportunity.Influencer, opportunity.Coach}, 5, 75,
	},
	{
		FitHighest, Leading, Text{"The top decision maker and the key people rate our fit highest", "最高决策者与关键人认为我方最匹配"},
		Text{"Whose solution fits best in your eyes, and in those of the others who count?", "在您和其他关键人看来，谁的方案最合适？"}, []opportunity.Role{opportunity.Coach, opportunity.DecisionMaker}, 4, 50,
	},
	{
		KeyPeopleHelp, Leading, Text{"Key people actively help us", "关键人主动帮助我方"},
		Text{"Who speaks for us when we are not there, and what did they do for us last?", "我们不在场时谁替我们说话，他最近为我们做了什么？"}, []opportunity.Role{opportunity.Coach}, 4, 75,
	},
	{
		MajorityChose, Leading, Text{"Most of the decision structure chose us", "决策结构中的多数人选择了我方"},
		Text{"If it were put to the vote today, who would vote for us?", "如果今天投票，谁会投给我们？"}, []opportunity.Role{opportunity.Coach, opportunity.Influencer}, 4, 100,
	},
	{
		TopDecides, Deciding, Text{"The top decision maker chose us or actively helps", "最高决策者选择我方或主动帮助我方"},
		Text{"Has the top decision maker said or done something that shows that it will be us?", "最高决策者是否说过或做过什么，表明会选择我们？"}, []opportunity.Role{opportunity.DecisionMaker, opportunity.Coach}, 5, 100,
	},
}

// Items lists the items of every card: nine things, three signs of leading, the one that decides.
func Items() []Item { return items }

// Find gives the item of a code.
func Find(code string) (Item, bool) {
	i := slices.IndexFunc(items, func(item Item) bool { return item.Code == code })
	if i < 0 {
		return Item{}, false
	}
	return items[i], true
}
