using System.Text.Json.Nodes;
using Xunit;

namespace Penstock.Infra.Tests;

public sealed class SecurityTests
{
    private const string Symbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";

    [Theory]
    [InlineData("Aa1!aaaaaaa", false)] // 11 characters
    [InlineData("Aa1!aaaaaaaa", true)]
    [InlineData("AA1!AAAAAAAA", false)]
    [InlineData("aa1!aaaaaaaa", false)]
    [InlineData("Aaa!aaaaaaaa", false)]
    [InlineData("Aa1aaaaaaaaa", false)]
    public void The_user_pool_takes_passwords_of_12_characters_with_both_cases_a_digit_and_a_symbol(string password, bool taken)
    {
        var policy = Pool()["Policies"]!["PasswordPolicy"]!;

        Assert.Equal(taken, Takes(policy, password));
    }

    [Fact]
    public void Nobody_signs_up_by_themselves() => Assert.True((bool)Pool()["AdminCreateUserConfig"]!["AllowAdminCreateUserOnly"]!);

    [Fact]
    public void Services_get_tokens_of_15_minutes_for_the_gateways_own_scopes()
    {
        var client = Assert.Single(Templates.Of().OfType("AWS::Cognito::UserPoolClient")).Properties;

        Assert.Equal(15, (int)client["AccessTokenValidity"]!);
        Assert.Equal("minutes", (string)client["TokenValidityUnits"]!["AccessToken"]!);
        Assert.Equal("""["client_credentials"]""", client["AllowedOAuthFlows"]!.ToJsonString());
        Assert.Equal(["/ai:complete", "/ai:embed", "/agent:run"], client["AllowedOAuthScopes"]!.AsArray().Select(scope => (string)scope!["Fn::Join"]![1]!.AsArray()[^1]!));
    }

    private static JsonObject Pool() => Assert.Single(Templates.Of().OfType("AWS::Cognito::UserPool")).Properties;

    /// <summary>As Cognito documents its policy: each rule that is on needs one character of its kind.</summary>
    private static bool Takes(JsonNode policy, string password) =>
        password.Length >= (int)policy["MinimumLength"]!
        && Meets(policy, "RequireLowercase", password.Any(char.IsAsciiLetterLower))
        && Meets(policy, "RequireUppercase", password.Any(char.IsAsciiLetterUpper))
        && Meets(policy, "RequireNumbers", password.Any(char.IsAsciiDigit))
        && Meets(policy, "RequireSymbols", password.Any(Symbols.Contains));

    private static bool Meets(JsonNode policy, string rule, bool met) => met || policy[rule] is not { } required || !(bool)required;
}
