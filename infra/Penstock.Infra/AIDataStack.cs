using Amazon.CDK;
using Amazon.CDK.AWS.DynamoDB;
using Amazon.DynamoDBv2;
using Amazon.DynamoDBv2.Model;
using Constructs;
using Penstock.Aws.DynamoDb;
using Attribute = Amazon.CDK.AWS.DynamoDB.Attribute;
using BillingMode = Amazon.CDK.AWS.DynamoDB.BillingMode;
using ProjectionType = Amazon.CDK.AWS.DynamoDB.ProjectionType;

namespace Penstock.Infra;

/// <summary>
/// The tables that servers share, made from the schemas that the adapter itself uses: on demand, encrypted with a key that KMS keeps, restorable to any
/// second of the last 35 days, and expired by their <c>ttl</c>.
/// </summary>
internal sealed class AIDataStack : Stack
{
    public AIDataStack(Construct scope, string id, DeploySettings settings)
        : base(scope, id, new StackProps { Description = "Penstock: tables" })
    {
        var tables = new DynamoTables(settings.TablePrefix);
        foreach (var schema in tables.Schemas()) Add(schema, settings);
    }

    private void Add(CreateTableRequest schema, DeploySettings settings)
    {
        var table = new Table(this, LogicalName(schema.TableName[settings.TablePrefix.Length..]), new TableProps
        {
            TableName = schema.TableName,
            PartitionKey = Key(schema, schema.KeySchema, KeyType.HASH)!,
            SortKey = Key(schema, schema.KeySchema, KeyType.RANGE),
            BillingMode = BillingMode.PAY_PER_REQUEST,
            Encryption = TableEncryption.AWS_MANAGED,
            PointInTimeRecovery = true,
            TimeToLiveAttribute = DynamoTables.Ttl,
            DeletionProtection = settings.KeepsData,
            RemovalPolicy = settings.KeepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
        });
        foreach (var index in schema.GlobalSecondaryIndexes ?? [])
        {
            table.AddGlobalSecondaryIndex(new GlobalSecondaryIndexProps
            {
                IndexName = index.IndexName,
                PartitionKey = Key(schema, index.KeySchema, KeyType.HASH)!,
                SortKey = Key(schema, index.KeySchema, KeyType.RANGE),
                ProjectionType = index.Projection.ProjectionType == Amazon.DynamoDBv2.ProjectionType.ALL ? ProjectionType.ALL : ProjectionType.KEYS_ONLY,
            });
        }
    }

    private static Attribute? Key(CreateTableRequest schema, List<KeySchemaElement> keys, KeyType kind)
    {
        if (keys.FirstOrDefault(key => key.KeyType == kind) is not { } found) return null;
        var type = schema.AttributeDefinitions.First(attribute => attribute.AttributeName == found.AttributeName).AttributeType;
        return new Attribute { Name = found.AttributeName, Type = type == ScalarAttributeType.N ? AttributeType.NUMBER : AttributeType.STRING };
    }

    /// <summary><c>ai-platform-usage</c> is <c>AiPlatformUsage</c>. It names the table within its stack for good: another name is another table.</summary>
    private static string LogicalName(string table) => string.Concat(table.Split('-').Select(word => $"{char.ToUpperInvariant(word[0])}{word[1..]}"));
}
