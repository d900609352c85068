using System.Text.Json.Nodes;
using Penstock.Aws.DynamoDb;
using Xunit;

namespace Penstock.Infra.Tests;

public sealed class DataTests
{
    [Fact]
    public void A_deployment_has_the_tables_that_the_adapter_asks_for_and_no_other()
    {
        var expected = new DynamoTables("eu-").Schemas().Select(schema => string.Join(
            ' ',
            [
                schema.TableName,
                .. schema.KeySchema.Select(key => $"{key.AttributeName}:{key.KeyType}:{schema.AttributeDefinitions.Single(attribute => attribute.AttributeName == key.AttributeName).AttributeType}"),
                .. (schema.GlobalSecondaryIndexes ?? []).Select(index => $"{index.IndexName}({string.Join(',', index.KeySchema.Select(key => key.AttributeName))}){index.Projection.ProjectionType}"),
            ]));

        var tables = Templates.Of(("tablePrefix", "eu-")).OfType("AWS::DynamoDB::Table").Select(table => Described(table.Properties));

        Assert.Equal(expected.Order(StringComparer.Ordinal), tables.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_table_is_on_demand_encrypted_restorable_and_expires_its_items()
    {
        Assert.All(Templates.Of().OfType("AWS::DynamoDB::Table"), table =>
        {
            Assert.Equal("PAY_PER_REQUEST", (string)table.Properties["BillingMode"]!);
            Assert.Equal("""{"SSEEnabled":true}""", table.Properties["SSESpecification"]!.ToJsonString());
            Assert.Equal("""{"PointInTimeRecoveryEnabled":true}""", table.Properties["PointInTimeRecoverySpecification"]!.ToJsonString());
            Assert.Equal("""{"AttributeName":"ttl","Enabled":true}""", table.Properties["TimeToLiveSpecification"]!.ToJsonString());
        });
    }

    [Theory]
    [InlineData("dev", "Delete", false)]
    [InlineData("staging", "Delete", false)]
    [InlineData("prod", "Retain", true)]
    public void Only_in_prod_data_outlives_its_stack(string environment, string policy, bool isProtected)
    {
        var templates = Templates.Of(("environment", environment));

        Assert.All(templates.OfType("AWS::DynamoDB::Table").Concat(templates.OfType("AWS::Cognito::UserPool")), kept => Assert.Equal(policy, (string)kept.Json["DeletionPolicy"]!));
        Assert.All(templates.OfType("AWS::DynamoDB::Table"), table => Assert.Equal(isProtected, (bool)table.Properties["DeletionProtectionEnabled"]!));
    }

    [Fact]
    public void Logical_ids_of_what_holds_data_never_change()
    {
        // A changed id is a new, empty table beside a deleted one.
        Assert.Equal(
            [
                "AiCache755DC66B",
                "AiJobsE9535257",
                "AiMemoryB60654A0",
                "AiPlatformBudgetsD99B3994",
                "AiPlatformIdempotency697141AF",
                "AiPlatformKeysE888B0EC",
                "AiPlatformLedger3CEC54CF",
                "AiPlatformLimitsFE3EEE6E",
                "AiPlatformUsageDCAF2218",
                "AiPromptsA97254F9",
                "AiRuns3298B542",
                "Users0A0EEA89",
            ],
            Templates.Of().Resources.Where(resource => resource.Type is "AWS::DynamoDB::Table" or "AWS::Cognito::UserPool").Select(kept => kept.Id).Order(StringComparer.Ordinal));
    }

    private static string Described(JsonObject table)
    {
        var types = table["AttributeDefinitions"]!.AsArray().ToDictionary(attribute => (string)attribute!["AttributeName"]!, attribute => (string)attribute!["AttributeType"]!);
        return string.Join(
            ' ',
            [
                (string)table["TableName"]!,
                .. table["KeySchema"]!.AsArray().Select(key => $"{key!["AttributeName"]}:{key["KeyType"]}:{types[(string)key["AttributeName"]!]}"),
                .. (table["GlobalSecondaryIndexes"]?.AsArray() ?? []).Select(index =>
                    $"{index!["IndexName"]}({string.Join(',', index["KeySchema"]!.AsArray().Select(key => (string)key!["AttributeName"]!))}){index["Projection"]!["ProjectionType"]}"),
            ]);
    }
}
