using System.Text.Json.Nodes;
using Xunit;

namespace Penstock.Infra.Tests;

public sealed class CostTests
{
    /// <summary>Types that CloudFormation gives no tags; whatever is not here must carry them all.</summary>
    private static readonly string[] Untaggable =
    [
        "AWS::Cognito::UserPoolClient", "AWS::Cognito::UserPoolDomain", "AWS::Cognito::UserPoolResourceServer", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
    ];

    private static readonly string[] Names = ["Component", "CostCenter", "Deployment", "Environment", "Project"];

    [Theory]
    [InlineData("dev")]
    [InlineData("staging")]
    [InlineData("prod")]
    public void All_that_can_carry_tags_carries_every_cost_tag(string environment)
    {
        var templates = Templates.Of(("environment", environment), ("costCenter", "search team"), ("alertEmails", "a@example.org"));

        Assert.True(templates.Resources.Count > 10);
        Assert.Equal([], Untagged(templates.Resources, environment, "search team"));
    }

    [Fact]
    public void A_resource_without_a_tag_is_found()
    {
        var table = JsonNode.Parse("""{"Type":"AWS::DynamoDB::Table","Properties":{"Tags":[{"Key":"Project","Value":"penstock"}]}}""")!.AsObject();
        var unknown = JsonNode.Parse("""{"Type":"AWS::New::Thing"}""")!.AsObject();

        Assert.Equal(["A", "B"], Untagged([new Resource("A", table), new Resource("B", unknown)], "dev", "ai-platform"));
    }

    [Fact]
    public void AWS_tells_at_half_of_the_monthly_limit_at_four_fifths_at_all_of_it_and_where_it_will_be_passed()
    {
        var templates = Templates.Of(("environment", "prod"), ("monthlyBudgetUsd", "2500"), ("alertEmails", "a@example.org, b@example.org"));

        var budget = Assert.Single(templates.OfType("AWS::Budgets::Budget")).Properties;
        Assert.Equal(
            """{"BudgetLimit":{"Amount":2500,"Unit":"USD"},"BudgetName":"penstock-prod","BudgetType":"COST","CostFilters":{"TagKeyValue":["user:Deployment$penstock-prod"]},"TimeUnit":"MONTHLY"}""",
            budget["Budget"]!.ToJsonString());
        Assert.Equal(
            ["ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"],
            budget["NotificationsWithSubscribers"]!.AsArray().Select(notice => $"{notice!["Notification"]!["NotificationType"]} {notice["Notification"]!["Threshold"]}"));
        var topic = Assert.Single(templates.OfType("AWS::SNS::Topic"));
        Assert.All(
            budget["NotificationsWithSubscribers"]!.AsArray(),
            notice => Assert.Equal($$"""[{"Address":{"Ref":"{{topic.Id}}"},"SubscriptionType":"SNS"}]""", notice!["Subscribers"]!.ToJsonString()));
        Assert.Equal(["a@example.org", "b@example.org"], templates.OfType("AWS::SNS::Subscription").Select(subscription => (string)subscription.Properties["Endpoint"]!).Order());
    }

    [Fact]
    public void AWS_Budgets_may_publish_to_the_topic_from_this_account_alone()
    {
        var policy = Assert.Single(Templates.Of().OfType("AWS::SNS::TopicPolicy")).Properties["PolicyDocument"]!["Statement"]!.AsArray();

        var grant = Assert.Single(policy, statement => (string)statement!["Effect"]! == "Allow")!;
        Assert.Equal("""{"Service":"budgets.amazonaws.com"}""", grant["Principal"]!.ToJsonString());
        Assert.Equal("""{"StringEquals":{"aws:SourceAccount":{"Ref":"AWS::AccountId"}}}""", grant["Condition"]!.ToJsonString());
    }

    private static string[] Untagged(IEnumerable<Resource> resources, string environment, string costCenter) =>
    [
        .. resources
            .Where(resource => !Untaggable.Contains(resource.Type))
            .Where(resource => resource.Tags() is var tags && !(Names.SequenceEqual(tags.Keys.Order(StringComparer.Ordinal))
                && tags["Project"] == "penstock" && tags["Environment"] == environment && tags["Deployment"] == $"penstock-{environment}" && tags["CostCenter"] == costCenter
                && tags["Component"].Length > 0))
            .Select(resource => resource.Id),
    ];
}
