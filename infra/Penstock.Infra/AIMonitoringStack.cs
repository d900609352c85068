using Amazon.CDK;
using Amazon.CDK.AWS.Budgets;
using Amazon.CDK.AWS.IAM;
using Amazon.CDK.AWS.SNS;
using Amazon.CDK.AWS.SNS.Subscriptions;
using Constructs;

namespace Penstock.Infra;

/// <summary>
/// AWS's own alarm over what the deployment costs. Penstock's budgets cap what calls to models cost; this one sees everything that carries the
/// deployment's tags, hours later, and stops nothing.
/// </summary>
internal sealed class AIMonitoringStack : Stack
{
    /// <summary>Percent of the monthly limit at which people are told of what was spent.</summary>
    private static readonly int[] Thresholds = [50, 80, 100];

    public AIMonitoringStack(Construct scope, string id, DeploySettings settings)
        : base(scope, id, new StackProps { Description = "Penstock: alarms" })
    {
        // Not encrypted: it carries sums and no data, and AWS Budgets can publish only under a key that costs by the month.
        var alarms = new Topic(this, "Alarms", new TopicProps { DisplayName = $"Penstock {settings.Environment}", EnforceSSL = true });
        alarms.AddToResourcePolicy(new PolicyStatement(new PolicyStatementProps
        {
            Sid = "BudgetsMayPublish",
            Principals = [new ServicePrincipal("budgets.amazonaws.com")],
            Actions = ["sns:Publish"],
            Resources = [alarms.TopicArn],
            Conditions = new Dictionary<string, object> { ["StringEquals"] = new Dictionary<string, string> { ["aws:SourceAccount"] = Account } },
        }));
        foreach (var email in settings.AlertEmails) alarms.AddSubscription(new EmailSubscription(email));

        AddBudget(settings, alarms);
        _ = new CfnOutput(this, "AlarmTopic", new CfnOutputProps { Value = alarms.TopicArn, Description = "Subscribe here to be told." });
    }

    private void AddBudget(DeploySettings settings, Topic alarms)
    {
        var budget = new CfnBudget(this, "MonthlyBudget", new CfnBudgetProps
        {
            Budget = new CfnBudget.BudgetDataProperty
            {
                BudgetName = settings.Name,
                BudgetType = "COST",
                TimeUnit = "MONTHLY",
                BudgetLimit = new CfnBudget.SpendProperty { Amount = settings.MonthlyBudgetUsd, Unit = "USD" },
                CostFilters = new Dictionary<string, object> { ["TagKeyValue"] = new[] { $"user:Deployment${settings.Name}" } },
            },
            NotificationsWithSubscribers = Thresholds.Select(percent => Notice("ACTUAL", percent, alarms)).Append(Notice("FORECASTED", 100, alarms)).ToArray(),
        });
        // Newer than this version of the CDK, which leaves the tags of a budget out.
        budget.AddPropertyOverride("ResourceTags", Deployment.CostTags(settings, "monitoring").Select(tag => new Dictionary<string, string> { ["Key"] = tag.Key, ["Value"] = tag.Value }).ToArray());
    }

    private static CfnBudget.NotificationWithSubscribersProperty Notice(string kind, int percent, Topic alarms) => new()
    {
        Notification = new CfnBudget.NotificationProperty { NotificationType = kind, ComparisonOperator = "GREATER_THAN", Threshold = percent, ThresholdType = "PERCENTAGE" },
        Subscribers = new[] { new CfnBudget.SubscriberProperty { SubscriptionType = "SNS", Address = alarms.TopicArn } },
    };
}
