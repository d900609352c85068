using Xunit;

namespace Penstock.Infra.Tests;

public sealed class SettingsTests
{
    [Theory]
    [InlineData("environment", "production", "'environment' is 'production'; it must be one of dev, staging, prod. Set it with -c environment=… or in cdk.json.")]
    [InlineData("monthlyBudgetUsd", "0", "'monthlyBudgetUsd' is '0'; it must be whole USD from 1 to 10000000. Set it with -c monthlyBudgetUsd=… or in cdk.json.")]
    [InlineData("monthlyBudgetUsd", "12.50", null)]
    [InlineData("monthlyBudgetUsd", "10000001", null)]
    [InlineData("alertEmails", "a@example.org,b", null)]
    [InlineData("costCenter", "<script>", null)]
    [InlineData("tablePrefix", "a/b", null)]
    public void A_wrong_setting_is_refused_by_name(string name, string value, string? message)
    {
        var refused = Assert.Throws<SettingsException>(() => DeploySettings.Read(asked => asked == name ? value : null));

        var error = Assert.Single(refused.Errors);
        if (message is not null) Assert.Equal(message, error);
        Assert.StartsWith($"'{name}' is '{value}'; it must ", error, StringComparison.Ordinal);
    }

    [Fact]
    public void All_wrong_settings_are_named_at_once() =>
        Assert.Equal(5, Assert.Throws<SettingsException>(() => DeploySettings.Read(_ => "\t?")).Errors.Count);

    [Fact]
    public void Nothing_need_be_set() => Assert.Equal("dev", DeploySettings.Read(_ => null).Environment);
}
